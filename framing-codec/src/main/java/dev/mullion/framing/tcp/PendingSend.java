package dev.mullion.framing.tcp;

import java.util.concurrent.CompletableFuture;

/** The future of a frame that was sent without waiting. Its state is guarded by its queue's lock. */
final class PendingSend extends CompletableFuture<Void> {
  private final Outbound outbound;
  final Object frame;
  final int length;

  PendingSend(Outbound outbound, Object frame, int length) {
    this.outbound = outbound;
    this.frame = frame;
    this.length = length;
  }

  /** Succeeds while the frame waits for room, and then it is not sent. Later it does nothing. */
  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    return outbound.withdraw(this) && super.cancel(mayInterruptIfRunning);
  }
}
