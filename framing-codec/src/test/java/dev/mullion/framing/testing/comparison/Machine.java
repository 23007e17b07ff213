package dev.mullion.framing.testing.comparison;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What it is measured on. */
final class Machine {
  private static final Path CPU = Path.of("/proc/cpuinfo");

  private Machine() {}

  static String description() throws IOException {
    return model()
        + Runtime.getRuntime().availableProcessors() + " cores, "
        + System.getProperty("os.name") + " "
        + System.getProperty("os.arch") + ", JDK "
        + Runtime.version().feature();
  }

  private static String model() throws IOException {
    if (!Files.isReadable(CPU)) {
      return "";
    }
    try (Stream<String> lines = Files.lines(CPU)) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip() + ", ")
          .findFirst()
          .orElse("");
    }
  }
}
