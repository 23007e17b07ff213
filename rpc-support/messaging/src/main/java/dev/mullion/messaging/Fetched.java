package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * One message that was fetched, from its arrival to its end.
 *
 * <pre>
 *  WAITING --taken--&gt; RUNNING --returned, failed, refused--&gt; ENDED
 *     |                  |-----handlerTimeout passed--------&gt; TIMED_OUT    late returns ignored
 *     |                  '-----timeout of a stop passed-----&gt; INTERRUPTED  late returns ignored
 *     '--stop, or it cannot start---------------------------&gt; RETURNED
 * </pre>
 *
 * <p>Whoever moves it out of RUNNING settles it with the engine, so that happens once.
 *
 * @param <T> the payload's type
 */
final class Fetched<T> extends HandlerCall<T> implements Delivery<T> {
  private static final VarHandle STAGE;

  static {
    try {
      STAGE = MethodHandles.lookup().findVarHandle(Fetched.class, "stage", Stage.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final RawDelivery raw;
  final int deliveryCount;

  /** Whether it may have killed its process: it is handled alone. */
  final boolean suspect;

  private final boolean keepsOrder;

  @SuppressWarnings("unused") // by STAGE: the inbox publishes it, so it need not be volatile
  private Stage stage = Stage.WAITING;

  private @Nullable Ending ending; // written before the stage is ENDED
  private @Nullable HandlerCall<T> batch; // null: it is its own call
  private @Nullable Run<T> run; // tells its stage, while it is in one
  private @Nullable Message<T> message; // null until it is decoded
  boolean recorded; // guarded by the inbox's lock: counted by its ending
  long seen = -1; // guarded by the inbox's lock: when a look at the buffer first found it
  boolean inLane; // guarded by the inbox's lock: it holds its key

  enum Stage {
    WAITING,
    RETURNED,
    RUNNING,
    ENDED,
    TIMED_OUT,
    INTERRUPTED
  }

  Fetched(RunningSubscription<T> owner, RawDelivery raw, int maxDeliveries, boolean keepsOrder) {
    super(owner);
    this.raw = raw;
    int losses = raw.losses();
    this.deliveryCount = raw.failures() + losses + 1;
    this.suspect = losses > 0 && deliveryCount <= maxDeliveries;
    this.keepsOrder = keepsOrder;
  }

  /** Returns whether any of them has to be handled alone. */
  static boolean hasSuspect(List<? extends Fetched<?>> deliveries) {
    for (Fetched<?> each : deliveries) {
      if (each.suspect) {
        return true;
      }
    }
    return false;
  }

  /** Makes it part of a batch. */
  void join(HandlerCall<T> batch) {
    this.batch = batch;
  }

  /** Returns the key whose order is kept; null if there is nothing to keep. */
  @Nullable
  String lane() {
    return keepsOrder ? raw.message().key().orElse(null) : null;
  }

  private HandlerCall<T> call() {
    HandlerCall<T> several = batch;
    return several == null ? this : several;
  }

  /** Makes it part of a run, which tells its stage. */
  void enter(Run<T> run, int index) {
    this.run = run;
    this.slot = index;
  }

  /** Takes it out of a run with its stage; under the inbox's lock. */
  void leave() {
    if (run != null) {
      Stage last = stage();
      if (last == Stage.ENDED && ending == null) {
        ending = Ending.ACKNOWLEDGED;
      }
      run = null;
      slot = -1;
      STAGE.setRelease(this, last);
    }
  }

  /** Returns the stage, if this is over in a run that has gone on. */
  Stage stageWhenOver() {
    return stage == Stage.WAITING ? Stage.ENDED : stage; // each other end is recorded here
  }

  /**
   * Ends it before its call has begun; false if it has. Under the inbox's lock, which counts it.
   */
  boolean giveBack() {
    return STAGE.compareAndSet(this, Stage.WAITING, Stage.RETURNED);
  }

  boolean belongsTo(HandlerCall<T> batch) {
    return this.batch == batch;
  }

  void decoded(T payload) {
    message = raw.message().withPayload(payload);
  }

  @Override
  boolean begin() {
    return stage() == Stage.RUNNING || STAGE.compareAndSet(this, Stage.WAITING, Stage.RUNNING);
  }

  Stage stage() {
    Run<T> in = run;
    return in != null ? in.stage(this, slot) : (Stage) STAGE.getVolatile(this);
  }

  boolean isWaiting() {
    return stage() == Stage.WAITING;
  }

  @Override
  boolean isRunning() {
    return stage() == Stage.RUNNING;
  }

  /** Ends it; false if that has happened already. */
  boolean end(Ending how) {
    if (stage() != Stage.RUNNING) {
      return false;
    }
    ending = how;
    Run<T> in = run;
    if (in != null) {
      boolean ended = in.end(slot, how);
      if (ended) {
        STAGE.setOpaque(this, Stage.ENDED);
      }
      return ended;
    }
    return STAGE.compareAndSet(this, Stage.RUNNING, Stage.ENDED);
  }

  /** Ends it before its handler has returned. */
  boolean cut(Stage to) {
    Run<T> in = run;
    if (in != null) {
      return in.cut(slot, to);
    }
    return STAGE.compareAndSet(this, Stage.RUNNING, to);
  }

  @Override
  @Nullable
  Thread thread() {
    Run<T> in = run;
    return in != null ? in.thread() : super.thread();
  }

  @Override
  boolean isCut() {
    Stage now = stage();
    return now == Stage.TIMED_OUT || now == Stage.INTERRUPTED;
  }

  /** Returns how it ended by {@link #end}; null if it did not. */
  @Nullable
  Ending ending() {
    return stage() != Stage.ENDED ? null : ending == null ? Ending.ACKNOWLEDGED : ending;
  }

  @Override
  int size() {
    return 1;
  }

  @Override
  Fetched<T> get(int index) {
    return this;
  }

  /** Returns the message; one that cannot be decoded, which only listeners see, has its bytes. */
  @Override
  @SuppressWarnings("unchecked")
  public Message<T> message() {
    Message<T> decoded = message;
    return decoded != null ? decoded : (Message<T>) (Message<?>) raw.message();
  }

  @Override
  public String address() {
    return raw.address();
  }

  @Override
  public int deliveryCount() {
    return deliveryCount;
  }

  @Override
  public boolean isLast() {
    return deliveryCount >= owner.maxDeliveries();
  }

  @Override
  public Instant deadline() {
    return owner.instantOf(call().deadlineNanos());
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return owner.extend(call(), this, Arguments.positive(time, "time"));
  }

  @Override
  public String toString() {
    return raw.message() + " of " + address() + ", delivery " + deliveryCount;
  }
}
