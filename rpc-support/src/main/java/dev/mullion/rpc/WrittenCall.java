package dev.mullion.rpc;

import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/** A call, as seen by the writer of its messages. */
interface WrittenCall {
  /** Returns the status that fails further writes, or null while the call is open. */
  @Nullable
  Status over();

  /** Returns whether the service has ended the call, by this writer or by its observer. */
  boolean isEndedByService();

  boolean isStopping();

  /**
   * Returns whether the current thread must not block, because it delivers the events that a write
   * would wait for.
   */
  boolean mustNotBlock();

  void run(Runnable callback);

  /** Fails the call because its end could not be sent. */
  void failed(Throwable thrown);
}
