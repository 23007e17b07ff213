package dev.mullion.messaging;

/** Meters for Micrometer. */
public final class MessagingMetrics {
  private MessagingMetrics() {}
}
