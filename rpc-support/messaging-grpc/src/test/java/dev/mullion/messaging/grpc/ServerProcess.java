package dev.mullion.messaging.grpc;

import dev.mullion.messaging.testing.JavaProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A server on a directory, in a process that can be killed and started again on its port. */
final class ServerProcess {
  private static final long ENDS_WITHIN_SECONDS = 30;

  private final int port;
  private final Path directory;
  private @Nullable Process process;

  ServerProcess(Path directory) throws IOException {
    this.port = JavaProcess.freePort();
    this.directory = directory;
  }

  int port() {
    return port;
  }

  /** Starts it, unless it runs, and waits until it listens. */
  void start() throws IOException {
    if (process != null && process.isAlive()) {
      return;
    }
    Process started =
        JavaProcess.start(MessagingPeer.class, Integer.toString(port), directory.toString());
    process = started;
    BufferedReader out = JavaProcess.output(started);
    List<String> lines = new ArrayList<>();
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      lines.add(line);
      if (line.startsWith("listening on ")) {
        return;
      }
    }
    throw new IOException("the server did not start: " + lines);
  }

  /** Ends it by a signal that it takes notice of. */
  void stop() throws InterruptedException {
    if (process != null) {
      process.destroy();
      awaitEnd(process);
    }
  }

  /** Ends it as {@code kill -9} does. */
  void kill() throws InterruptedException {
    if (process != null) {
      process.destroyForcibly();
      awaitEnd(process);
    }
  }

  private static void awaitEnd(Process process) throws InterruptedException {
    if (!process.waitFor(ENDS_WITHIN_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("the server did not end within " + ENDS_WITHIN_SECONDS + " s");
    }
  }
}
