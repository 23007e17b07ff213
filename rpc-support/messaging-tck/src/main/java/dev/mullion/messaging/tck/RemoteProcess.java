package dev.mullion.messaging.tck;

import dev.mullion.messaging.tck.EngineUnderTest.MultiProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.opentest4j.AssertionFailedError;

/** A {@link RemoteWorker} as its parent sees it. */
final class RemoteProcess implements AutoCloseable {
  private static final Duration TIMEOUT = Duration.ofSeconds(40);

  private final Process process;
  private final Thread reader;
  private final List<String> lines = new ArrayList<>();
  private boolean ended;

  RemoteProcess(MultiProcess engine, String queue, int maxDeliveries, int concurrency, int prefetch)
      throws IOException {
    List<String> command = List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx128m",
        "-cp",
        System.getProperty("java.class.path"),
        RemoteWorker.class.getName(),
        engine.remote().getName(),
        engine.address(),
        queue,
        "" + maxDeliveries,
        "" + concurrency,
        "" + prefetch);
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    reader = new Thread(this::read, "remote-worker-output");
    reader.setDaemon(true);
    reader.start();
  }

  private void read() {
    try (BufferedReader in = new BufferedReader(
        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        add(line);
      }
    } catch (IOException e) {
      add("output ended: " + e);
    } finally {
      end();
    }
  }

  private synchronized void add(String line) {
    lines.add(line);
    notifyAll();
  }

  private synchronized void end() {
    ended = true;
    notifyAll();
  }

  synchronized List<String> lines() {
    return List.copyOf(lines);
  }

  /** Waits for a line, and returns it. */
  String awaitLine(String start) throws InterruptedException {
    awaitLines(all -> all.stream().anyMatch(line -> line.startsWith(start)), start);
    return lines().stream().filter(line -> line.startsWith(start)).findFirst().orElseThrow();
  }

  synchronized void awaitLines(Predicate<List<String>> condition, String what)
      throws InterruptedException {
    long end = System.nanoTime() + TIMEOUT.toNanos();
    while (!condition.test(lines)) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0 || ended) {
        throw new AssertionFailedError("a worker's line " + what + " expected; it "
            + (ended ? "ended" : "runs") + " after " + lines);
      }
      wait(left);
    }
  }

  /** Waits until the process has died by itself. */
  void awaitDeath() throws InterruptedException {
    if (!process.waitFor(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionFailedError("the worker still runs: " + lines());
    }
    reader.join(TIMEOUT.toMillis());
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Kills the process, as {@code kill -9} does; its last lines are there afterwards. */
  void kill() {
    process.destroyForcibly();
    try {
      awaitDeath();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    kill();
  }
}
