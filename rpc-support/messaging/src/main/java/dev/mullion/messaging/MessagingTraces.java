package dev.mullion.messaging;

/** Trace context in the headers. */
public final class MessagingTraces {
  private MessagingTraces() {}
}
