package dev.mullion.examples.capitals;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CapitalsTest {
  @Test
  void repliesAndErrorsInOneProcess() throws Exception {
    Process program = Program.start("France", "Atlantis", "Peru");

    assertThat(Program.text(program).lines())
        .containsExactly(
            "France: Paris", "Atlantis: the replier failed: no such country", "Peru: Lima");
    assertThat(program.waitFor()).isEqualTo(1);
  }

  @Test
  void repliesFromAnotherProcess() throws Exception {
    Process server = Program.start("--serve=0");
    try (BufferedReader lines = server.inputReader()) {
      String address = Program.address(lines);
      Process client = Program.start("--connect=" + address, "Japan", "France");

      assertThat(Program.text(client).lines()).containsExactly("Japan: Tokyo", "France: Paris");
      assertThat(client.waitFor()).isZero();

      Process second = Program.start("--serve=" + address);
      assertThat(Program.text(second)).startsWith("capitals: cannot listen on ").hasLineCount(1);
      assertThat(second.waitFor()).isEqualTo(1);

      server.toHandle().destroy();
      assertThat(server.waitFor(20, TimeUnit.SECONDS)).isTrue();
      assertThat(lines.lines()).isEmpty();
    } finally {
      server.destroyForcibly();
    }
  }
}
