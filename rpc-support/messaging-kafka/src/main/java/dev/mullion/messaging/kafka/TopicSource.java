package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.CreditBuffer;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** A live subscriber of a topic or pattern. */
final class TopicSource extends LiveReader.Listener implements Source {
  private final KafkaLink link;
  private final TopicPattern pattern;
  private final CreditBuffer buffer;
  private final Sink sink;

  TopicSource(KafkaLink link, Route.Topic topic, ConsumerSettings settings, Sink sink) {
    super(link.names().topic(topic.name()));
    this.link = link;
    this.pattern = new TopicPattern(topic.name());
    this.buffer = new CreditBuffer(sink, settings);
    this.sink = sink;
  }

  @Override
  void take(ConsumerRecord<byte[], byte[]> next) {
    String topic = link.names().topicOf(next);
    if (!pattern.matches(topic)) {
      return;
    }
    Envelope envelope = new Envelope(next.headers());
    if (envelope.isExpired()) {
      sink.dropped(1);
    } else {
      buffer.offer(new LiveDelivery(envelope.message(next), topic));
    }
  }

  @Override
  public void request(int deliveries) {
    buffer.request(deliveries);
  }

  @Override
  public CompletionStage<Void> ready() {
    return ready;
  }

  @Override
  public void cancel() {
    link.leave(this);
    buffer.cancel();
    link.tell(() -> ready.cancel(false)); // unless it is ready
  }

  @Override
  public void close() {
    cancel();
    link.closed(this);
  }
}
