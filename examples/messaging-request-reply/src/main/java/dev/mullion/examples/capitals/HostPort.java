package dev.mullion.examples.capitals;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** An address as users write it: {@code HOST:PORT}, or a port of 127.0.0.1. */
record HostPort(String host, int port) {

  /** Tells picocli how to read one. */
  static final class Converter implements ITypeConverter<HostPort> {
    @Override
    public HostPort convert(String text) {
      int colon = text.lastIndexOf(':');
      String host = colon < 0 ? "127.0.0.1" : text.substring(0, colon);
      try {
        int port = Integer.parseInt(text.substring(colon + 1));
        if (!host.isEmpty() && port >= 0 && port <= 65535) {
          return new HostPort(host, port);
        }
      } catch (NumberFormatException notANumber) {
        // Reported below.
      }
      throw new TypeConversionException("'" + text + "' (expected: HOST:PORT or PORT)");
    }
  }
}
