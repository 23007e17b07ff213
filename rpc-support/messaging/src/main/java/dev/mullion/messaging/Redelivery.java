package dev.mullion.messaging;

import java.time.Duration;

/**
 * How often and how soon a message that failed is delivered again. A delay holds back that message
 * only.
 *
 * @param maxDeliveries the greatest number of deliveries, the first one included: 1 for no second
 * @param delay the delay after the first failure
 * @param multiplier the growth of the delay with each further failure; 1 for a constant delay
 * @param maxDelay the greatest delay
 */
public record Redelivery(int maxDeliveries, Duration delay, double multiplier, Duration maxDelay) {
  private static final int MOST = 1_000_000;

  /** Checks the values. */
  public Redelivery {
    Arguments.within(maxDeliveries, 1, MOST, "maxDeliveries");
    Arguments.notNegative(delay, "delay");
    Arguments.notNegative(maxDelay, "maxDelay");
    if (!(multiplier >= 1) || Double.isInfinite(multiplier)) {
      throw new IllegalArgumentException("multiplier: " + multiplier + " (expected: >= 1)");
    }
    if (maxDelay.compareTo(delay) < 0) {
      throw new IllegalArgumentException(
          "maxDelay: " + maxDelay + " (expected: >= delay, " + delay + ")");
    }
  }

  /** Returns five deliveries, 1 s apart at first, each delay twice the last, at most a minute. */
  public static Redelivery defaults() {
    return new Redelivery(5, Duration.ofSeconds(1), 2, Duration.ofMinutes(1));
  }

  /** Returns deliveries without a delay. */
  public static Redelivery immediate(int maxDeliveries) {
    return new Redelivery(maxDeliveries, Duration.ZERO, 1, Duration.ZERO);
  }

  /** Returns deliveries with a constant delay. */
  public static Redelivery constant(int maxDeliveries, Duration delay) {
    return new Redelivery(maxDeliveries, delay, 1, delay);
  }

  /** Returns the delay after a delivery that failed, counted from 1. */
  public Duration delayAfter(int deliveryCount) {
    double millis = delay.toMillis() * Math.pow(multiplier, deliveryCount - 1);
    return millis < maxDelay.toMillis() ? Duration.ofMillis((long) millis) : maxDelay;
  }
}
