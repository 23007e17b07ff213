package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The future of a frame sent without waiting. The queue's lock guards its state. */
final class PendingSend extends CompletableFuture<Void> {
  private final Predicate<PendingSend> withdraw;
  final int length;
  final @Nullable Place place;

  /** Whether the event loop itself sent it; the loop's replies must then follow it. */
  final boolean ofLoop;

  /** The encoded frame while it waits for room. */
  @Nullable
  ByteBuf encoded;

  /** Why it could not be accepted when there was room. */
  @Nullable
  Throwable failure;

  /** @param withdraw withdraws it if it waits for room; returns whether it did */
  PendingSend(Predicate<PendingSend> withdraw, int length, @Nullable Place place, boolean ofLoop) {
    this.withdraw = withdraw;
    this.length = length;
    this.place = place;
    this.ofLoop = ofLoop;
  }

  /**
   * Succeeds while the frame waits for room; the frame is then not sent. Later it has no effect.
   */
  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    return withdraw.test(this) && super.cancel(mayInterruptIfRunning);
  }

  /** Hands over the encoded frame. */
  ByteBuf handOver() {
    ByteBuf held = requireNonNull(encoded, "encoded");
    encoded = null;
    return held;
  }

  /** Fails the future with the reason why it was not accepted. */
  void fail() {
    completeExceptionally(requireNonNull(failure, "failure"));
  }

  /** Fails the future: the connection closed while the frame waited for room. */
  void refuse(@Nullable Object peer, IOException why) {
    release();
    completeExceptionally(new FrameNotSentException(
        "connection was closed while the frame waited for room (peer " + peer + ")", why));
  }

  /** Fails the future: the connection closed before the event loop received the frame. */
  void closed(@Nullable Object peer, IOException why) {
    completeExceptionally(new FrameNotSentException(
        "connection was closed before the frame was sent (peer " + peer + ")", why));
  }

  /** Fails the future: the connection was lost while the frame was being written. */
  void lost(@Nullable Object peer, Throwable why) {
    completeExceptionally(
        new IOException("connection was lost while the frame was sent (peer " + peer + ")", why));
  }

  /** Releases the memory of a frame that is not sent. */
  void release() {
    ByteBuf held = encoded;
    if (held != null) {
      encoded = null;
      held.release();
    }
  }
}
