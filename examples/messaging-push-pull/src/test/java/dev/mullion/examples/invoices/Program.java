package dev.mullion.examples.invoices;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The program as a process of its own, as a user would run it. */
final class Program {
  private Program() {}

  static Process start(String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs would warn of native code.
    command.add("--enable-native-access=ALL-UNNAMED");
    // Starts sooner, which counts more than speed for a program of seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(InvoicesMain.class.getName());
    command.addAll(List.of(args));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Returns all that a program prints until it ends. */
  static String text(Process program) throws IOException {
    return new String(program.getInputStream().readAllBytes(), UTF_8);
  }

  /** Reads lines up to the first with this text, and returns that one. */
  static String await(BufferedReader lines, String text) throws IOException {
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.contains(text)) {
        return line;
      }
    }
    throw new IOException("ended without " + text);
  }

  /** Returns HOST:PORT, once a program listens there. */
  static String address(BufferedReader lines) throws IOException {
    return await(lines, "listening on ").substring("listening on ".length());
  }
}
