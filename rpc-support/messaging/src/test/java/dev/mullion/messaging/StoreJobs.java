package dev.mullion.messaging;

import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.Store.StoredQueue;
import dev.mullion.messaging.engine.Route;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** Queues, jobs and dead letters to store in tests. */
final class StoreJobs {
  private StoreJobs() {}

  static StoredQueue queue(int number, String name) {
    return new StoredQueue(
        number,
        new Route.Queue(
            name,
            Optional.empty(),
            new Redelivery(5, Duration.ofSeconds(1), 2, Duration.ofMinutes(1)),
            Duration.ofSeconds(30),
            false,
            1000,
            0,
            Overflow.BLOCK,
            100,
            Duration.ofDays(7)));
  }

  static Job job(long number, int bytes) {
    return new Job(number, 0, 0, 0, 0, bytes, null);
  }

  static Job job(long number, int failures, int losses, long dueMillis) {
    return new Job(number, failures, losses, dueMillis, 0, 10, null);
  }

  static Step.AddJob add(int queue, long number, String text) {
    byte[] payload = text.getBytes(StandardCharsets.UTF_8);
    return new Step.AddJob(
        queue, job(number, payload.length), "address-" + queue, Message.of(payload));
  }

  static String text(Store.Stored stored) {
    return new String(stored.message().payload(), StandardCharsets.UTF_8);
  }

  static DeadLetter letter(String text) {
    return new DeadLetter(
        Message.of(text.getBytes(StandardCharsets.UTF_8)),
        "orders",
        DeadLetter.Reason.REJECTED,
        "no such customer",
        3,
        Instant.ofEpochSecond(1_700_000_000, 123_456_789));
  }
}
