package dev.mullion.messaging.tck;

import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** Passes all calls on to another link. */
class ForwardingLink implements EngineLink {
  final EngineLink link;

  ForwardingLink(EngineLink link) {
    this.link = link;
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    link.prepare(route, declaration);
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    return link.send(route, message);
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    return link.trySend(signal, message);
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    return link.request(subject, id, message, timeout);
  }

  @Override
  public void cancelRequest(Route.Subject subject, long id) {
    link.cancelRequest(subject, id);
  }

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    return link.consume(route, settings, sink);
  }

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    return link.deadLetters(queue);
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return link.queues();
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    return link.delete(queue);
  }

  @Override
  public Health health() {
    return link.health();
  }

  @Override
  public void close(Duration timeout) {
    link.close(timeout);
  }
}
