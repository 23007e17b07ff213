package dev.mullion.messaging.grpc;

import com.google.protobuf.MessageLite;
import dev.mullion.messaging.MessagingClock;
import io.grpc.Status;
import io.grpc.stub.CallStreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The frames that wait to be written to one stream. They leave in batches, in order, while the
 * transport has room; one thread at a time writes, and takes along what others add meanwhile.
 * Adding a frame takes no lock.
 *
 * <p>There are two kinds: frames that are added here, and those of the {@link Source}, which is
 * asked for one only when it can be written (deliveries stay with their subscription until then).
 * They take turns, so neither starves the other.
 *
 * @param <F> a frame
 * @param <B> a batch of them
 */
final class Outbox<F extends MessageLite, B> {

  /** Frames that are made when they can be written. */
  interface Source<F> {
    /** Returns answers, as many as there are in one frame, or null if there is none now. */
    @Nullable
    F answers();

    /** Returns whether there are answers, which are written before the stream ends. */
    boolean hasAnswers();

    /** Returns another frame, or null if there is none now. It may call the engine. */
    @Nullable
    F next();

    /** Returns whether there may be another frame. */
    boolean hasNext();
  }

  private static final int BATCH_BYTES = 64 * 1024;
  private static final int BATCH_FRAMES = 512;

  /**
   * The transport takes a batch only when it has written the last one: so under load frames gather
   * while the connection is busy, and leave in few batches.
   */
  static final int UNWRITTEN = 1;

  /** What a frame takes in memory besides its bytes, roughly: many small ones count too. */
  private static final int FRAME_BYTES = 128;

  /** How long a frame that nobody waits for may wait for others. */
  private static final Duration LAZY = Duration.ofMillis(5);

  private final CallStreamObserver<B> observer;
  private final Function<List<F>, B> batch;
  private final Source<F> source;
  private final Executor executor;
  private final boolean inline;
  private final Consumer<Throwable> broken;
  private final Queue<F> frames = new ConcurrentLinkedQueue<>();
  private final AtomicLong waitingBytes = new AtomicLong();
  private final AtomicInteger turn = new AtomicInteger();
  private final AtomicBoolean flushing = new AtomicBoolean();
  private final AtomicBoolean timed = new AtomicBoolean();
  private volatile @Nullable Executor loop;
  private volatile @Nullable Runnable end;
  private volatile boolean failed; // nothing is written any more

  /** Used by the thread with the turn. */
  private boolean over;

  /**
   * Creates an outbox.
   *
   * @param executor writes what was added lazily, or by a thread that does not write itself
   * @param inline whether a thread that adds a frame writes it; else the executor does
   * @param broken is told if the stream takes no frames any more
   */
  Outbox(
      CallStreamObserver<B> observer,
      Function<List<F>, B> batch,
      Source<F> source,
      Executor executor,
      boolean inline,
      Consumer<Throwable> broken) {
    this.observer = observer;
    this.batch = batch;
    this.source = source;
    this.executor = executor;
    this.inline = inline;
    this.broken = broken;
  }

  /** Sets the event loop of the stream, which writes what gathers until it is its turn. */
  void loop(@Nullable Executor loop) {
    if (this.loop == null) {
      this.loop = loop;
    }
  }

  /** Adds a frame to be written soon. */
  void add(F frame) {
    enqueue(frame);
    wake();
  }

  /** Adds a frame on a thread that may write it: spares a change of threads. */
  void addHere(F frame) {
    enqueue(frame);
    if (!Cork.add(this)) {
      wakeHere();
    }
  }

  /** Adds a frame that leaves with the next one, or a few milliseconds later. */
  void addLazily(F frame) {
    enqueue(frame);
    wakeLazily();
  }

  /** Lets frames be written with the next one, or a few milliseconds later. */
  void wakeLazily() {
    if (timed.compareAndSet(false, true)) {
      boolean scheduled = false;
      try {
        MessagingClock.system().schedule(LAZY, Later.on(executor, this::flushTimed));
        scheduled = true;
      } finally {
        if (!scheduled) {
          timed.set(false);
        }
      }
    }
  }

  private void flushTimed() {
    timed.set(false);
    wakeHere();
  }

  /** Adds a frame without writing it: {@link #wake} follows. */
  void enqueue(F frame) {
    if (failed) {
      return;
    }
    waitingBytes.addAndGet(FRAME_BYTES + frame.getSerializedSize());
    frames.add(frame);
  }

  /** Returns the size of the frames that were added and not written, in memory. */
  long waitingBytes() {
    return waitingBytes.get();
  }

  /** Lets frames be written soon: at the end of this thread's {@link Cork}, here, or elsewhere. */
  void wake() {
    if (!Cork.add(this) && !wakeLoop()) {
      if (inline) {
        flush();
      } else {
        wakeElsewhere();
      }
    }
  }

  /** Lets frames be written soon; this thread may do so. */
  void wakeHere() {
    if (!wakeLoop()) {
      flush();
    }
  }

  /** Lets the event loop write, if that is all there is to do; returns whether it will. */
  private boolean wakeLoop() {
    Executor events = loop;
    if (events == null || source.hasNext()) {
      return false;
    }
    if (flushing.compareAndSet(false, true)) {
      try {
        events.execute(this::flushOnLoop);
      } catch (RejectedExecutionException ended) {
        flushing.set(false);
        return false;
      }
    }
    return true;
  }

  private void flushOnLoop() {
    flushing.set(false);
    flushAdded();
  }

  private void wakeElsewhere() {
    if (flushing.compareAndSet(false, true)) {
      try {
        executor.execute(this::flushSoon);
      } catch (RejectedExecutionException stopped) {
        flushing.set(false);
        broken.accept(stopped);
      } catch (Throwable noThread) { // Error too, such as no memory for one
        Later.on(executor, this::flushSoon).run();
      }
    }
  }

  private void flushSoon() {
    flushing.set(false);
    flush();
  }

  /** Ends the stream after what was added, when the transport has taken that. */
  void complete() {
    endBy(observer::onCompleted);
  }

  /** Ends the stream with a status after what was added, when the transport has taken that. */
  void completeBy(Status status) {
    endBy(() -> observer.onError(status.asRuntimeException()));
  }

  /** Ends the stream at once. */
  void fail(Throwable error) {
    failed = true;
    frames.clear();
    endBy(() -> observer.onError(error));
  }

  private void endBy(Runnable last) {
    if (end == null) {
      end = last;
    }
    flush();
  }

  /** Writes what can be written now, unless another thread is writing: then that one does. */
  void flush() {
    flush(true);
  }

  /** Does that on an event loop: other threads write what needs more than writing. */
  void flushAdded() {
    flush(false);
    if (source.hasNext()) {
      wakeElsewhere();
    }
  }

  private void flush(boolean all) {
    if (turn.getAndIncrement() != 0) {
      return;
    }
    int seen = 1;
    do {
      try {
        write(all);
      } catch (Throwable thrown) {
        over = true;
        Later.on(executor, () -> broken.accept(thrown)).run();
      }
      seen = turn.addAndGet(-seen);
    } while (seen != 0);
  }

  private void write(boolean all) {
    while (!over && !failed && observer.isReady()) {
      List<F> next = collect(all);
      if (next.isEmpty()) {
        break;
      }
      observer.onNext(batch.apply(next));
    }
    Runnable last = end;
    if (!over && last != null && (failed || isEmpty())) {
      over = true;
      frames.clear(); // frames added during the failure
      last.run();
    }
  }

  private boolean isEmpty() {
    return frames.isEmpty() && !source.hasAnswers();
  }

  private List<F> collect(boolean all) {
    List<F> collected = new ArrayList<>();
    long bytes = 0;
    for (F answers = source.answers(); answers != null; answers = source.answers()) {
      bytes += answers.getSerializedSize();
      collected.add(answers);
    }
    boolean more = true;
    while (more && bytes < BATCH_BYTES && collected.size() < BATCH_FRAMES) {
      F added = frames.poll();
      if (added != null) {
        int size = added.getSerializedSize();
        waitingBytes.addAndGet(-FRAME_BYTES - size);
        bytes += size;
        collected.add(added);
      }
      F lane = all && end == null && bytes < BATCH_BYTES ? source.next() : null;
      if (lane != null) {
        bytes += lane.getSerializedSize();
        collected.add(lane);
      }
      more = added != null || lane != null;
    }
    return collected;
  }
}
