package dev.mullion.messaging;

/** The counts of one subscription. Guarded by the inbox's lock. */
final class Tally {
  private final long[] endings = new long[Ending.values().length];
  private long ended;
  long delivered;
  long deadLettered;
  long dropped;
  long lateReturns;
  long leasesLost;

  long inFlightAtStop;
  long givenBackByStop;
  long interrupted;

  void ended(Ending ending) {
    ended(ending, 1);
  }

  void ended(Ending ending, int messages) {
    endings[ending.index] += messages;
    ended += messages;
  }

  /** Returns the deliveries in slots whose ending is not counted yet. */
  long inFlight(long buffered) {
    return delivered - ended - buffered;
  }

  /** Returns the counts, with what is in the slots and not counted yet. */
  SubscriptionCounters counters(long backlog, Slots.Look inSlots) {
    long[] all = endings.clone();
    for (Ending ending : Ending.values()) {
      all[ending.index] += inSlots.count(ending);
    }
    long buffered = backlog + inSlots.waiting();
    long inFlight = inFlight(buffered) - inSlots.ended();
    return new SubscriptionCounters(
        delivered,
        all[Ending.ACKNOWLEDGED.index],
        all[Ending.FAILED.index],
        all[Ending.TIMED_OUT.index],
        all[Ending.REJECTED.index],
        all[Ending.UNDECODABLE.index],
        all[Ending.GIVEN_BACK.index],
        all[Ending.BURIED.index],
        deadLettered,
        dropped,
        lateReturns,
        leasesLost,
        inFlight,
        buffered);
  }
}
