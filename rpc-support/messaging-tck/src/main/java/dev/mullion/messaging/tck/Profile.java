package dev.mullion.messaging.tck;

import java.time.Duration;

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
    if (!(duplicates >= 0 && duplicates <= 1)) {
      throw new IllegalArgumentException("duplicates: " + duplicates + " (expected: 0 to 1)");
    }
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

  /** Returns a copy with another time to see that nothing comes. */
  public Profile withQuiet(Duration quiet) {
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

  /** Returns a copy with another slack of delays. */
  public Profile withDelaySlack(Duration delaySlack) {
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

  /** Returns a copy with another time until a pattern sees a new topic. */
  public Profile withNewTopic(Duration newTopic) {
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

  /** Returns a copy with another slack of soft capacities. */
  public Profile withCapacitySlack(long capacitySlack) {
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

  /** Returns a copy of an engine that duplicates this share of all messages. */
  public Profile withDuplicates(double duplicates) {
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

  /** Returns a copy of an engine whose messages may overtake each other. */
  public Profile withReorders(boolean reorders) {
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

  /** Returns a copy that sends this share of the usual number of messages. */
  public Profile withLoad(double load) {
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

  /** Returns that share of a number, at least 1. */
  int scaled(int number) {
    return Math.max(1, (int) Math.ceil(number * load));
  }

  /** Returns how many of that many messages may be duplicates. */
  long allowedDuplicates(int messages) {
    return duplicates == 0 ? 0 : (long) Math.ceil(5 + 2 * duplicates * messages);
  }
}
