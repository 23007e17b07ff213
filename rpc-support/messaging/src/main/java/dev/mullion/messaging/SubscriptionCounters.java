package dev.mullion.messaging;

/**
 * The counts of one subscription since its start. {@code delivered} equals the sum of {@code
 * acknowledged}, {@code failed}, {@code timedOut}, {@code rejected}, {@code undecodable}, {@code
 * givenBack}, {@code buried}, {@code inFlight} and {@code buffered}.
 *
 * @param delivered messages received from the engine
 * @param acknowledged messages whose handler succeeded
 * @param failed messages whose handler failed
 * @param timedOut messages whose handler did not return in time
 * @param rejected messages that their handler rejected for good
 * @param undecodable messages that the codec could not decode
 * @param givenBack messages given back unhandled
 * @param buried messages above {@code maxDeliveries}, buried without a call
 * @param deadLettered messages that became dead letters, for any of these reasons
 * @param dropped messages dropped since the buffer was full
 * @param lateReturns handlers that returned after their time; their outcome was ignored
 * @param leasesLost outcomes that came after the engine had given the message to another
 * @param inFlight messages being handled
 * @param buffered messages waiting for a handler
 */
public record SubscriptionCounters(
    long delivered,
    long acknowledged,
    long failed,
    long timedOut,
    long rejected,
    long undecodable,
    long givenBack,
    long buried,
    long deadLettered,
    long dropped,
    long lateReturns,
    long leasesLost,
    long inFlight,
    long buffered) {}
