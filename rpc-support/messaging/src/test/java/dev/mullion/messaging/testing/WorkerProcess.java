package dev.mullion.messaging.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A {@link LossWorker} in a process of its own, whose lines are read. */
final class WorkerProcess {
  private final Process process;
  private final Consumer<String> lines;
  private final Thread reader = new Thread(this::read, "output-of-worker");
  private final CountDownLatch ready = new CountDownLatch(1);
  private volatile String lastLine = "";

  WorkerProcess(Process process, Consumer<String> lines) {
    this.process = process;
    this.lines = lines;
    reader.setDaemon(true);
    reader.start();
  }

  private void read() {
    try (BufferedReader in = JavaProcess.output(process)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        lastLine = line;
        if (line.equals("ready")) {
          ready.countDown();
        } else {
          lines.accept(line);
        }
      }
    } catch (IOException e) {
      lastLine = "output ended: " + e;
    }
  }

  void awaitReady(Duration patience) throws InterruptedException {
    assertThat(ready.await(patience.toSeconds(), TimeUnit.SECONDS))
        .as("ready; last: " + lastLine)
        .isTrue();
  }

  /** Kills the process, as {@code kill -9} does; its last lines are read afterwards. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    reader.join(TimeUnit.SECONDS.toMillis(20));
  }
}
