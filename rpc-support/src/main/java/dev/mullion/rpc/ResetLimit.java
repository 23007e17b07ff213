package dev.mullion.rpc;

import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import org.jspecify.annotations.Nullable;

/** Limits how often an event may occur on a connection within a window. */
final class ResetLimit {
  private final int max;
  private final long windowNanos;
  private final String reason;
  private long windowBegan = System.nanoTime();
  private int count;

  ResetLimit(int max, long windowNanos, String reason) {
    this.max = max;
    this.windowNanos = windowNanos;
    this.reason = reason;
  }

  /** Counts an event, and returns the error that ends the connection if the limit is exceeded. */
  @Nullable
  Http2Exception isExceeded() {
    if (max == Integer.MAX_VALUE) {
      return null;
    }
    long now = System.nanoTime();
    if (now - windowBegan > windowNanos) {
      windowBegan = now;
      count = 0;
    }
    return ++count > max ? new TooMany(reason) : null;
  }

  private static final class TooMany extends Http2Exception {
    private static final long serialVersionUID = 1;

    TooMany(String reason) {
      super(Http2Error.ENHANCE_YOUR_CALM, reason);
    }

    /** A stack trace would be costly, since there may be many of these errors. */
    @Override
    @SuppressWarnings("UnsynchronizedOverridesSynchronized")
    public Throwable fillInStackTrace() {
      return this;
    }
  }
}
