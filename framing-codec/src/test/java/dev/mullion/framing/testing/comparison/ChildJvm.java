package dev.mullion.framing.testing.comparison;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A JVM that runs one program, and is ended by {@link #close}. */
final class ChildJvm implements AutoCloseable {
  private final String main;
  private final Process process;
  private final BufferedReader output;

  private ChildJvm(String main, Process process) {
    this.main = main;
    this.process = process;
    output = process.inputReader(UTF_8);
  }

  /** Starts it; with a core of -1 it may use all. */
  static ChildJvm start(ComparisonOptions options, int core, Class<?> main, List<String> arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    if (core >= 0) {
      command.addAll(List.of("taskset", "-c", Integer.toString(core)));
    }
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs warn about what Netty and protobuf use.
    command.addAll(List.of(
        "--enable-native-access=ALL-UNNAMED",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--sun-misc-unsafe-memory-access=allow",
        // Netty logs through SLF4J, which is there for others and has no backend.
        "-Dslf4j.internal.verbosity=ERROR"));
    command.addAll(options.jvmOptions());
    command.addAll(List.of("-cp", options.classPath(), main.getName()));
    command.addAll(arguments);
    Process process = new ProcessBuilder(command)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
    return new ChildJvm(main.getSimpleName(), process);
  }

  /** Whether there is a core for a server and another one for its load, and taskset to say so. */
  static boolean canBePinned() throws InterruptedException {
    try {
      for (String core : List.of("0", "1")) {
        Process taskset = new ProcessBuilder("taskset", "-c", core, "true")
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
        if (taskset.waitFor() != 0) {
          return false;
        }
      }
      return true;
    } catch (IOException absent) {
      return false;
    }
  }

  long pid() {
    return process.pid();
  }

  /** Waits for a line of its output, and returns what follows this start of it. */
  String awaitLine(String start, Duration patience) throws IOException, InterruptedException {
    FutureTask<String> reading = new FutureTask<>(() -> readLine(start));
    Thread thread = new Thread(reading, "output of " + main);
    thread.setDaemon(true);
    thread.start();
    try {
      return reading.get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new IOException(main + " did not print \"" + start + "\" within " + patience, e);
    } catch (ExecutionException e) {
      throw new IOException(main + ": " + e.getCause(), e);
    }
  }

  private String readLine(String start) throws IOException {
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.startsWith(start)) {
        return line.substring(start.length());
      }
    }
    throw new IOException("ended without printing \"" + start + "\"");
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly().onExit().join();
    output.close();
  }
}
