package dev.mullion.messaging.tck;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * How long an engine may take, how exact it is, and how much the suite sends. Not promises: these
 * are in {@link dev.mullion.messaging.Guarantees}.
 *
 * @param firstDelivery how long a new subscription may take until it is ready
 * @param delivery how long anything else may take; a test fails after this
 * @param quiet how long the suite waits to see that nothing more comes
 * @param delaySlack how late a delayed message may be
 * @param newTopic how long a pattern may take to see a topic created after it; zero for at once
 * @param instant what counts as at once: for calls that wait for nothing
 * @param capacitySlack how many messages above a soft capacity may be accepted
 * @param duplicates the share of messages that may come more often than once, 0 to 1
 * @param reorders whether messages may overtake each other, against the engine's promise: set by
 *     {@link FaultyEngine}
 * @param load the share of the usual number of messages that is sent, above 0 to 1
 */
public record Profile(
    Duration firstDelivery,
    Duration delivery,
    Duration quiet,
    Duration delaySlack,
    Duration newTopic,
    Duration instant,
    long capacitySlack,
    double duplicates,
    boolean reorders,
    double load) {

  /** Checks the shares. */
  public Profile {
    if (!(load > 0 && load <= 1)) {
      throw new IllegalArgumentException("load: " + load + " (expected: > 0, <= 1)");
    }
    share(duplicates, "duplicates");
  }

  /** Checks a share, and returns it. */
  static double share(double share, String name) {
    if (!(share >= 0 && share <= 1)) {
      throw new IllegalArgumentException(name + ": " + share + " (expected: 0 to 1)");
    }
    return share;
  }

  /** Returns the profile of an engine that is fast and exact, on a machine that is busy. */
  public static Profile defaults() {
    return new Profile(
        Duration.ofSeconds(15),
        Duration.ofSeconds(15),
        Duration.ofMillis(40),
        Duration.ofSeconds(2),
        Duration.ZERO,
        Duration.ofSeconds(1),
        0,
        0,
        false,
        1);
  }

  /** Returns a copy with other times for the first and for any further delivery. */
  public Profile withDeadlines(Duration firstDelivery, Duration delivery) {
    return with(draft -> {
      draft.firstDelivery = firstDelivery;
      draft.delivery = delivery;
    });
  }

  /** Returns a copy with another time to see that nothing comes. */
  public Profile withQuiet(Duration quiet) {
    return with(draft -> draft.quiet = quiet);
  }

  /** Returns a copy with another slack of delays. */
  public Profile withDelaySlack(Duration delaySlack) {
    return with(draft -> draft.delaySlack = delaySlack);
  }

  /** Returns a copy with another time until a pattern sees a new topic. */
  public Profile withNewTopic(Duration newTopic) {
    return with(draft -> draft.newTopic = newTopic);
  }

  /** Returns a copy with another slack of soft capacities. */
  public Profile withCapacitySlack(long capacitySlack) {
    return with(draft -> draft.capacitySlack = capacitySlack);
  }

  /** Returns a copy of an engine that duplicates this share of all messages. */
  public Profile withDuplicates(double duplicates) {
    return with(draft -> draft.duplicates = duplicates);
  }

  /** Returns a copy of an engine whose messages may overtake each other. */
  public Profile withReorders(boolean reorders) {
    return with(draft -> draft.reorders = reorders);
  }

  /** Returns a copy that sends this share of the usual number of messages. */
  public Profile withLoad(double load) {
    return with(draft -> draft.load = load);
  }

  private Profile with(Consumer<Draft> change) {
    Draft draft = new Draft(this);
    change.accept(draft);
    return draft.profile();
  }

  /** Returns that share of a number, at least 1. */
  int scaled(int number) {
    return Math.max(1, (int) Math.ceil(number * load));
  }

  /** Returns how many of that many messages may be duplicates. */
  long allowedDuplicates(int messages) {
    return duplicates == 0 ? 0 : (long) Math.ceil(5 + 2 * duplicates * messages);
  }

  /** The components of a copy, before it is made. */
  private static final class Draft {
    private Duration firstDelivery;
    private Duration delivery;
    private Duration quiet;
    private Duration delaySlack;
    private Duration newTopic;
    private Duration instant;
    private long capacitySlack;
    private double duplicates;
    private boolean reorders;
    private double load;

    Draft(Profile from) {
      firstDelivery = from.firstDelivery;
      delivery = from.delivery;
      quiet = from.quiet;
      delaySlack = from.delaySlack;
      newTopic = from.newTopic;
      instant = from.instant;
      capacitySlack = from.capacitySlack;
      duplicates = from.duplicates;
      reorders = from.reorders;
      load = from.load;
    }

    Profile profile() {
      return new Profile(
          firstDelivery,
          delivery,
          quiet,
          delaySlack,
          newTopic,
          instant,
          capacitySlack,
          duplicates,
          reorders,
          load);
    }
  }
}
