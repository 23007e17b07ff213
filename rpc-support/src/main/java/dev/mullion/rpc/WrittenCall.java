package dev.mullion.rpc;

import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/** What a writer knows of its call. */
interface WrittenCall {
  /** Returns why nothing can be written any more, or null if it can. */
  @Nullable
  Status over();

  /** Returns whether its service has ended it, by this writer or by its observer. */
  boolean isEndedByService();

  boolean isStopping();

  /**
   * Returns whether the current thread is one that brings the news that a write would wait for.
   */
  boolean mayNotWait();

  void run(Runnable callback);

  /** Ends it, since its end could not be sent. */
  void failed(Throwable thrown);
}
