package dev.mullion.messaging.grpc;

/** A client broke the rules of {@code messaging.proto}: its stream ends with this text. */
final class BrokenRules extends RuntimeException {
  private static final long serialVersionUID = 1L;

  BrokenRules(String message) {
    super(message, null, false, false);
  }
}
