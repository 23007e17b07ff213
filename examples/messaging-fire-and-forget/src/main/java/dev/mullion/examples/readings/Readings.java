package dev.mullion.examples.readings;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import java.nio.ByteBuffer;

/** Readings of a sensor, which waits for nobody. What is lost is counted. */
final class Readings {
  static final Signal<byte[]> READINGS = Signal.of("readings", Codecs.bytes());

  private static final int PRINTED = 20_000;

  private long received;

  /** Takes one reading, and prints some. Calls do not overlap, by default. */
  void take(Delivery<byte[]> reading) {
    received++;
    if (received % PRINTED == 1) {
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
