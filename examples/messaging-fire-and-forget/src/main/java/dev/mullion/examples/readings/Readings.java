package dev.mullion.examples.readings;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import java.nio.ByteBuffer;
import java.time.Duration;

/** Readings of a sensor, which waits for nobody. What is lost is counted. */
final class Readings {
  static final Signal<byte[]> READINGS = Signal.of("readings", Codecs.bytes());

  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  private long received;
  private long printedAt = System.nanoTime() - SECOND;

  /** Takes one reading, and prints one a second. Calls do not overlap, by default. */
  void take(Delivery<byte[]> reading) {
    received++;
    long now = System.nanoTime();
    if (now - printedAt >= SECOND) {
      printedAt = now;
      double celsius = ByteBuffer.wrap(reading.payload()).getDouble();
      System.out.printf("reading %,d: %.1f degrees%n", received, celsius);
    }
  }

  /** Sends readings as fast as it can, and returns how many were known to be dropped. */
  static long send(Messaging messaging, int count) {
    long dropped = 0;
    for (int i = 0; i < count; i++) {
      byte[] reading = ByteBuffer.allocate(Double.BYTES).putDouble(20 + i % 10).array();
      if (!messaging.send(READINGS, reading)) {
        dropped++;
      }
    }
    return dropped;
  }
}
