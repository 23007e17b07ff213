package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.lang.System.Logger.Level;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/**
 * Logs internal exceptions of services under an id that is sent to the client. Clients can cause
 * any number of them, so one of each kind is logged per second, with the number of those left out.
 * The first half of an id identifies the kind, which is the exception's type and origin. So an id
 * that was not logged still leads to a line about the same fault.
 */
final class InternalErrors {
  /**
   * The number of places that all kinds share, and the maximum number of lines logged per second.
   */
  private static final int PLACES = 31;

  private static final int FRAMES = 8;

  private enum Event {
    FAILED
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private final BoundedLog<Event>[] logs = new BoundedLog[PLACES];

  InternalErrors(System.Logger logger) {
    Arrays.setAll(logs, place -> new BoundedLog<>(logger, Event.class));
  }

  /** Logs an error of a call within the rate limit, and returns its id. */
  String log(Throwable error, Object call) {
    int kind = kind(error);
    String id = String.format("%08x%08x", kind, ThreadLocalRandom.current().nextInt());
    logs[Math.floorMod(kind, PLACES)].log(
        Event.FAILED, Level.ERROR, null, () -> "call " + call + " failed, error id " + id, error);
    return id;
  }

  private static int kind(Throwable error) {
    int type = error.getClass().getName().hashCode();
    try {
      return 31 * type + Stream.of(error.getStackTrace()).limit(FRAMES).toList().hashCode();
    } catch (Throwable unknown) {
      // The exception is the user's, and its getStackTrace may throw.
      return type;
    }
  }
}
