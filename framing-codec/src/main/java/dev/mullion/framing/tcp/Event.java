package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TruncatedFrameException;

/** The logged events, each at most once a second. */
enum Event {
  ACCEPT_FAILED,
  LISTENING_ENDED,
  NO_THREAD,
  HANDLER_FAILED,
  HANDLER_ENDED,
  HANDLER_SLOW,
  FRAME_TOO_LARGE,
  FRAME_CORRUPT,
  FRAME_TRUNCATED,
  TLS_FAILED,
  CONNECTION_LOST,
  TIMED_OUT,
  RECONNECT_FAILED,
  STOP;

  /** Returns the event to log when a peer breaks the format. */
  static Event of(FramingException error) {
    return error instanceof FrameTooLargeException
        ? FRAME_TOO_LARGE
        : error instanceof TruncatedFrameException ? FRAME_TRUNCATED : FRAME_CORRUPT;
  }
}
