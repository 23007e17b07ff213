package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.grpc.v1.Pong;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import io.grpc.Status;
import io.grpc.stub.CallStreamObserver;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class OutboxTest {
  private static final ServerFrame PONG =
      ServerFrame.newBuilder().setPong(Pong.getDefaultInstance()).build();

  private final Stream stream = new Stream();
  private final Outbox<ServerFrame, List<ServerFrame>> outbox =
      new Outbox<>(stream, List::copyOf, new NoSource(), Runnable::run, false, broken -> {});

  @Test
  void manySmallFramesCountWithTheMemoryThatTheyTake() {
    for (int i = 0; i < 1000; i++) {
      outbox.add(PONG);
    }
    assertThat(outbox.waitingBytes()).isGreaterThan(50_000);
    stream.ready = true;
    outbox.flush();
    assertThat(outbox.waitingBytes()).isZero();
    assertThat(stream.written).hasSize(1000);
  }

  @Test
  void aFrameThatComesBesideTheFailureDoesNotKeepTheStreamOpen() {
    stream.whenAsked = () -> {
      outbox.fail(Status.RESOURCE_EXHAUSTED.asRuntimeException()); // another thread writes just now
      outbox.add(PONG);
    };
    outbox.add(PONG);
    assertThat(stream.errors).hasSize(1);
    outbox.add(PONG);
    assertThat(stream.written).isEmpty();
    assertThat(stream.errors).hasSize(1);
  }

  @Test
  void completesAfterWhatWasAdded() {
    outbox.add(PONG);
    outbox.complete();
    assertThat(stream.completed).isZero();
    stream.ready = true;
    outbox.flush();
    assertThat(stream.written).containsExactly(PONG);
    assertThat(stream.completed).isOne();
  }

  /** No other thread's frames were written any more, once there was no thread for it. */
  @Test
  void isWrittenLaterIfThereIsNoThreadNow() {
    AtomicBoolean fails = new AtomicBoolean(true);
    Outbox<ServerFrame, List<ServerFrame>> failing = new Outbox<>(
        stream,
        List::copyOf,
        new NoSource(),
        task -> {
          if (fails.getAndSet(false)) {
            throw new OutOfMemoryError("unable to create native thread, on purpose");
          }
          task.run();
        },
        false,
        broken -> {});
    stream.ready = true;
    failing.add(PONG);
    Eventually.isTrue("the frame", () -> stream.written.size() == 1);
    failing.add(PONG);
    assertThat(stream.written).hasSize(2);
  }

  /** Each thread that added a frame wrote it, so that one batch had one frame. */
  @Test
  void eventLoopWritesWhatGathered() {
    List<Runnable> tasks = new ArrayList<>();
    stream.ready = true;
    outbox.loop(tasks::add);
    outbox.add(PONG);
    outbox.addHere(PONG);
    outbox.enqueue(PONG);
    outbox.wake();
    assertThat(stream.written).isEmpty();
    assertThat(tasks).hasSize(1);
    tasks.remove(0).run();
    assertThat(stream.written).hasSize(3);
    outbox.add(PONG);
    tasks.remove(0).run();
    assertThat(stream.written).hasSize(4);
  }

  @Test
  void isWrittenHereWhenTheEventLoopHasEnded() {
    stream.ready = true;
    outbox.loop(task -> {
      throw new RejectedExecutionException("the loop has ended, on purpose");
    });
    outbox.add(PONG);
    outbox.addHere(PONG);
    assertThat(stream.written).hasSize(2);
  }

  /** The engine is asked for more when a delivery is written, and may block. */
  @Test
  void eventLoopWritesNoDeliveries() {
    List<Runnable> elsewhere = new ArrayList<>();
    Deque<ServerFrame> deliveries = new ArrayDeque<>(List.of(PONG));
    Outbox<ServerFrame, List<ServerFrame>> mixed = new Outbox<>(
        stream,
        List::copyOf,
        new NoSource() {
          @Override
          public @Nullable ServerFrame next() {
            return deliveries.poll();
          }

          @Override
          public boolean hasNext() {
            return !deliveries.isEmpty();
          }
        },
        elsewhere::add,
        false,
        broken -> {});
    mixed.loop(Runnable::run);
    stream.ready = true;
    mixed.enqueue(PONG);
    mixed.flushAdded();
    assertThat(stream.written).hasSize(1);
    assertThat(deliveries).hasSize(1);
    elsewhere.remove(0).run();
    assertThat(stream.written).hasSize(2);
  }

  private static class NoSource implements Outbox.Source<ServerFrame> {
    @Override
    public @Nullable ServerFrame answers() {
      return null;
    }

    @Override
    public boolean hasAnswers() {
      return false;
    }

    @Override
    public @Nullable ServerFrame next() {
      return null;
    }

    @Override
    public boolean hasNext() {
      return false;
    }
  }

  /** A stream whose peer reads only when told. */
  private static final class Stream extends CallStreamObserver<List<ServerFrame>> {
    final List<ServerFrame> written = new CopyOnWriteArrayList<>();
    final List<Throwable> errors = new ArrayList<>();
    volatile boolean ready;
    int completed;
    Runnable whenAsked = () -> {};

    @Override
    public boolean isReady() {
      Runnable once = whenAsked;
      whenAsked = () -> {};
      once.run();
      return ready;
    }

    @Override
    public void onNext(List<ServerFrame> frames) {
      written.addAll(frames);
    }

    @Override
    public void onError(Throwable error) {
      errors.add(error);
    }

    @Override
    public void onCompleted() {
      completed++;
    }

    @Override
    public void setOnReadyHandler(Runnable handler) {}

    @Override
    public void disableAutoInboundFlowControl() {}

    @Override
    public void request(int count) {}

    @Override
    public void setMessageCompression(boolean enable) {}
  }
}
