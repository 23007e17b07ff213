package dev.mullion.messaging;

/**
 * The counts of one {@code Messaging} since its start.
 *
 * @param sent messages passed to publish, push, request or send
 * @param accepted messages that the engine accepted
 * @param failed messages whose future failed
 * @param dropped messages dropped by send, by publish and by full buffers of subscribers here
 * @param pending sends without an answer
 * @param pendingBytes their payloads' size
 * @param requests requests sent
 * @param timedOut requests without a reply in time
 * @param lateReplies replies that came after their request had ended
 * @param handlersRunning handlers that run now
 * @param handlersWaiting messages that wait for a handler thread
 * @param listenerFailures exceptions thrown by the listener and by observers
 * @param eventsOmitted events left out since the listener was too slow
 * @param reconnects restored connections
 */
public record MessagingCounters(
    long sent,
    long accepted,
    long failed,
    long dropped,
    long pending,
    long pendingBytes,
    long requests,
    long timedOut,
    long lateReplies,
    long handlersRunning,
    long handlersWaiting,
    long listenerFailures,
    long eventsOmitted,
    long reconnects) {}
