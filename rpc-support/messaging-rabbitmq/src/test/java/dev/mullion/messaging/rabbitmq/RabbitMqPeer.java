package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.util.concurrent.CountDownLatch;

/**
 * A broker, and a program on it, for a client in another language: what is pushed to {@code in} or
 * published to {@code news.*} is pushed to {@code out}, and {@code greet} is answered.
 */
final class RabbitMqPeer {
  private static final WorkQueue<String> IN = WorkQueue.of("in", Codecs.utf8());
  private static final WorkQueue<String> OUT = WorkQueue.of("out", Codecs.utf8());
  private static final Topic<String> NEWS = Topic.of("news.*", Codecs.utf8());
  private static final Subject<String, String> GREET =
      Subject.of("greet", Codecs.utf8(), Codecs.utf8());

  private RabbitMqPeer() {}

  /** Runs until it is terminated. */
  public static void main(String[] args) throws Exception {
    Broker broker = Broker.start();
    Messaging messaging =
        Messaging.on(RabbitMqEngine.builder().addresses(broker.address()).build());
    messaging.declare(OUT);
    messaging.pull(
        IN,
        job -> messaging
            .pushMessage(OUT, job.message().withPayload("job " + job.payload()))
            .get());
    messaging
        .subscribe(
            NEWS,
            news -> messaging
                .pushMessage(
                    OUT, Message.of("news " + news.payload()).withHeader("topic", news.address()))
                .get())
        .ready()
        .toCompletableFuture()
        .get();
    messaging
        .reply(GREET, request -> "hello " + request.payload())
        .ready()
        .toCompletableFuture()
        .get();
    System.out.println("listening on " + broker.address());
    System.out.flush();
    new CountDownLatch(1).await();
  }
}
