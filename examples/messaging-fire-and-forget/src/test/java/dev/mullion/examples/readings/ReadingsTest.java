package dev.mullion.examples.readings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ReadingsTest {
  private static final Pattern COUNTS =
      Pattern.compile("sent 100,000, received ([0-9,]+), dropped ([0-9,]+)");

  @Test
  void eachReadingIsReceivedOrCountedAsDropped() throws Exception {
    Process program = Program.start();
    String text = Program.text(program);
    List<MatchResult> counts = COUNTS.matcher(text).results().toList();

    assertThat(text)
        .startsWith("nobody receives: sent 1, dropped 1")
        .contains("reading 1: 20.0 degrees");
    assertThat(counts).as(text).hasSize(1);
    assertThat(number(counts.get(0), 1) + number(counts.get(0), 2)).isEqualTo(100_000);
    assertThat(program.waitFor()).isZero();
  }

  @Test
  void readingsFromAnotherProcess() throws Exception {
    Process server = Program.start("--serve=0");
    try (BufferedReader lines = server.inputReader()) {
      Process client = Program.start("--connect=" + Program.address(lines), "--readings=3");

      assertThat(Program.text(client).lines())
          .containsExactly("sent 3, of which 0 were dropped here");
      assertThat(client.waitFor()).isZero();
      assertThat(lines.readLine()).matches("reading 1: 2[0-2]\\.0 degrees");
    } finally {
      server.destroyForcibly();
    }
  }

  private static long number(MatchResult counts, int group) {
    return Long.parseLong(counts.group(group).replace(",", ""));
  }
}
