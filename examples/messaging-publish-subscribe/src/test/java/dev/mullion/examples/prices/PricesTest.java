package dev.mullion.examples.prices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PricesTest {
  @Test
  void archiveGetsWhatWasPublishedBeforeItOpened() throws Exception {
    Process program = Program.start();

    assertThat(Program.text(program).lines())
        .containsExactly(
            "screen  prices.eu.paris 17.20",
            "screen  prices.eu.rome 16.90",
            "the archive opens",
            "archive prices.eu.paris 17.20",
            "archive prices.us.boston 18.01",
            "archive prices.eu.rome 16.90");
    assertThat(program.waitFor()).isZero();
  }

  @Test
  void pricesFromAnotherProcess() throws Exception {
    Process server = Program.start("--serve=0");
    try (BufferedReader lines = server.inputReader()) {
      Process client =
          Program.start("--connect=" + Program.address(lines), "eu.oslo=21", "us.reno=9.50");
      assertThat(Program.text(client)).isEmpty();
      assertThat(client.waitFor()).isZero();

      List<String> printed = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        printed.add(lines.readLine());
      }
      assertThat(printed)
          .containsExactlyInAnyOrder(
              "screen  prices.eu.oslo 21",
              "archive prices.eu.oslo 21",
              "archive prices.us.reno 9.50");
    } finally {
      server.destroyForcibly();
    }
  }

  @Test
  void wrongNameIsOneLine() throws Exception {
    Process program = Program.start("eu paris=17.20");

    assertThat(Program.text(program))
        .startsWith("prices: name: \"prices.eu paris\" (expected: ")
        .hasLineCount(1);
    assertThat(program.waitFor()).isEqualTo(1);
  }
}
