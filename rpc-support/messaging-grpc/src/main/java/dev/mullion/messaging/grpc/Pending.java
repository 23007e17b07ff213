package dev.mullion.messaging.grpc;

import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Done;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A frame that the server answers.
 *
 * @param id its id
 * @param write adds it to a session's outbox: some frames depend on what happened since
 * @param bytes its part of the window's bytes
 * @param deadline until when it may wait to be written, in nanoseconds
 * @param answer completes with the answer
 */
record Pending(
    long id,
    Consumer<LinkSession> write,
    int bytes,
    long deadline,
    CompletableFuture<Done> answer) {

  static Pending of(ClientFrame frame, long deadline) {
    return new Pending(
        Answered.id(frame),
        session -> session.outbox.enqueue(frame),
        Answered.bytes(frame),
        deadline,
        new CompletableFuture<>());
  }
}
