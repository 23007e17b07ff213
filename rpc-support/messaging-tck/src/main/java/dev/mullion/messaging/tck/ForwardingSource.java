package dev.mullion.messaging.tck;

import dev.mullion.messaging.engine.Source;
import java.util.concurrent.CompletionStage;

/** Passes all calls on to another source. */
class ForwardingSource implements Source {
  final Source source;

  ForwardingSource(Source source) {
    this.source = source;
  }

  @Override
  public void request(int deliveries) {
    source.request(deliveries);
  }

  @Override
  public CompletionStage<Void> ready() {
    return source.ready();
  }

  @Override
  public Buffer buffer() {
    return source.buffer();
  }

  @Override
  public void cancel() {
    source.cancel();
  }

  @Override
  public void close() {
    source.close();
  }
}
