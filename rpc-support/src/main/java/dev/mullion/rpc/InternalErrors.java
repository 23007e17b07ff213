package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.lang.System.Logger.Level;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/**
 * Logs exceptions of services that are none of the clients' business, with an id that the client is
 * told. Clients cause them as often as they like, so of each kind one a second is logged, with the
 * number of those left out. The first half of an id stands for the kind, which is the exception's
 * type and the place where it was made: an id that was not logged leads to a line about the same
 * fault.
 */
final class InternalErrors {
  /** Kinds share so many places: in the worst case so many lines are logged in a second. */
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

  /** Logs an error of a call unless there are too many of them, and returns its id. */
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
      // It is the user's own, and may not say where it was made.
      return type;
    }
  }
}
