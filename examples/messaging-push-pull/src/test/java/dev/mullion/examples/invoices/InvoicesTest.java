package dev.mullion.examples.invoices;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class InvoicesTest {
  @TempDir
  Path directory;

  @Test
  void printsInOneProcess() throws Exception {
    Process program = Program.start("--jobs=5");

    assertThat(Program.text(program).lines())
        .containsExactlyInAnyOrder(
            "invoice 1 printed",
            "invoice 2 printed",
            "invoice 3 failed: paper jam",
            "invoice 4 printed",
            "invoice 3 printed, delivery 2",
            "no invoice is left",
            "dead letter: REJECTED, empty invoice");
    assertThat(program.waitFor()).isZero();
  }

  /** A worker is killed with {@code kill -9} in the middle, and another one takes its place. */
  @Test
  void killedWorkerLosesNothing() throws Exception {
    Process server = Program.start("--serve=0", "--jobs=6");
    Process worker = null;
    try (BufferedReader says = server.inputReader()) {
      String address = Program.address(says);
      Process killed = Program.start("--connect=" + address);
      String printed;
      try (BufferedReader lines = killed.inputReader()) {
        Program.await(lines, "invoice 2 printed");
        kill(killed);
        printed = "invoice 1 printed\ninvoice 2 printed\n" + lines.lines().collect(joining("\n"));
      }
      worker = Program.start("--connect=" + address);

      Program.await(says, "no invoice is left");
      assertThat(says.readLine()).isEqualTo("dead letter: REJECTED, empty invoice");
      assertThat(server.waitFor()).isZero();
      // It has no other end, without its server.
      kill(worker);
      assertThatAllArePrinted(5, printed + "\n" + Program.text(worker));
    } finally {
      destroy(server, worker);
    }
  }

  /** The process with the queue is killed, and started again in the same directory. */
  @Test
  void killedServerLosesNothing() throws Exception {
    String kept = "--directory=" + directory;
    Process server = Program.start("--serve=0", "--jobs=6", kept);
    Process worker = null;
    try (BufferedReader says = server.inputReader()) {
      String address = Program.address(says);
      Program.await(says, "invoices to print: 6");
      worker = Program.start("--connect=" + address);
      BufferedReader lines = worker.inputReader();
      Program.await(lines, "invoice 2 printed");
      server.destroyForcibly().waitFor();
      Program.await(lines, "connection lost");

      server = Program.start("--serve=" + address, "--jobs=0", kept);
      String rest = Program.text(server);
      assertThat(rest)
          .contains("invoices left from an earlier run: ")
          .contains("no invoice is left")
          .contains("dead letter: REJECTED, empty invoice");
      assertThat(server.waitFor()).isZero();
      worker.destroyForcibly();
    } finally {
      destroy(server, worker);
    }
  }

  private static void assertThatAllArePrinted(int count, String text) {
    List<String> printed = text.lines()
        .filter(line -> line.contains(" printed"))
        .map(line -> line.substring(0, line.indexOf(" printed")))
        .toList();
    List<String> expected =
        IntStream.rangeClosed(1, count).mapToObj(i -> "invoice " + i).toList();

    assertThat(printed).as(text).containsAll(expected);
    // At most what was being handled, and what was acknowledged while the connection ended.
    assertThat(printed).as(text).hasSizeLessThanOrEqualTo(count + 2);
  }

  /** Unlike {@code Process.destroyForcibly}, leaves what it has printed to be read. */
  private static void kill(Process program) {
    program.toHandle().destroyForcibly();
  }

  private static void destroy(Process server, Process worker) {
    server.destroyForcibly();
    if (worker != null) {
      worker.destroyForcibly();
    }
  }
}
