package dev.mullion.examples.prices;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A mistake is answered in words, never by the trace of an exception. */
@Timeout(60)
class UsageTest {
  @Test
  void argumentsAreExplained() throws Exception {
    Process help = Program.start("--help");

    assertThat(Program.text(help))
        .startsWith("Usage: prices")
        .contains("--serve=[HOST:]PORT", "--connect=HOST:PORT");
    assertThat(help.waitFor()).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"--nonsense", "--serve", "--serve=70000", "--connect=here:there", "--connect=:1"})
  void wrongArgumentsGiveUsage(String argument) throws Exception {
    Process wrong = Program.start(argument);

    assertThat(Program.text(wrong)).contains("Usage: prices").doesNotContain("\tat ");
    assertThat(wrong.waitFor()).isEqualTo(2);
  }

  @Test
  void serveAndConnectExcludeEachOther() throws Exception {
    Process wrong = Program.start("--serve=0", "--connect=127.0.0.1:1");

    assertThat(Program.text(wrong)).contains("mutually exclusive", "Usage: prices");
    assertThat(wrong.waitFor()).isEqualTo(2);
  }

  @Test
  void refusedConnectionIsOneLine() throws Exception {
    Process client = Program.start("--connect=127.0.0.1:1");

    assertThat(Program.text(client)).startsWith("prices: ").contains("127.0.0.1:1").hasLineCount(1);
    assertThat(client.waitFor()).isEqualTo(1);
  }
}
