package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.CreditBuffer;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** A receiver of a signal: a message is accepted first, and then waits here, at most once. */
final class SignalSource implements Upkept {
  private static final int BATCH = 400;

  private final String signal;
  private final Sink sink;
  private final CreditBuffer buffer;
  private final Pool pool;

  SignalSource(KafkaLink link, String signal, ConsumerSettings settings, Sink sink) {
    this.signal = signal;
    this.sink = sink;
    this.buffer = new CreditBuffer(sink, settings);
    this.pool = new Pool(link);
    pool.request(BATCH);
  }

  @Override
  public void request(int deliveries) {
    buffer.request(deliveries);
  }

  @Override
  public CompletionStage<Void> ready() {
    return pool.ready();
  }

  @Override
  public void lookAround() {
    pool.restartIfAnother();
  }

  @Override
  public void cancel() {
    pool.cancel();
    buffer.cancel();
  }

  @Override
  public void close() {
    cancel();
    pool.close();
  }

  private final class Pool extends SharePool {
    Pool(KafkaLink link) {
      super(link, link.names().signal(signal), BATCH);
    }

    @Override
    public Held hold(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
      return new Signalled(worker, fetched);
    }

    @Override
    void deliver(Held held) {
      held.settle(new Outcome.Acknowledge());
    }

    @Override
    void returned(Held held) {
      held.settle(new Outcome.GiveBack(false));
    }

    @Override
    void closedNow() {
      link().closed(SignalSource.this);
    }

    private final class Signalled extends Held {
      Signalled(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
        super(worker, fetched);
      }

      @Override
      public String address() {
        return signal;
      }

      @Override
      public CompletionStage<Settlement> settle(Outcome outcome) {
        return acceptOrRelease(outcome);
      }

      @Override
      void over(Settlement settlement) {
        unused();
        if (settlement != Settlement.APPLIED || decision() != AcknowledgeType.ACCEPT) {
          return;
        }
        if (envelope().isExpired()) {
          sink.dropped(1);
        } else {
          buffer.offer(new LiveDelivery(message(), signal));
        }
      }
    }
  }
}
