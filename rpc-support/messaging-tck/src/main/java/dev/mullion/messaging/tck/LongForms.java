package dev.mullion.messaging.tck;

/**
 * Whether the long forms run, which take minutes: {@code -Dmessaging.tck.long=true}. {@code
 * -Dmessaging.tck.seconds} is the time of the stress case, and {@code -Dmessaging.tck.seed} repeats
 * a run's random choices.
 */
final class LongForms {
  private static final long SEED = Long.getLong("messaging.tck.seed", System.nanoTime());

  private LongForms() {}

  static boolean on() {
    return Boolean.getBoolean("messaging.tck.long");
  }

  static long seed() {
    return SEED;
  }

  static int stressSeconds() {
    return Integer.getInteger("messaging.tck.seconds", on() ? 300 : 1);
  }
}
