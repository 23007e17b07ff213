package dev.mullion.framing.tcp;

/** What is logged, at most one line a second for each. */
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
  STOP
}
