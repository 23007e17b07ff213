package dev.mullion.messaging.tck;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * An engine with faults, around another one: answers and deliveries are late, some messages come
 * twice, some overtake others, consumers lose their connection while they are idle, and {@link
 * #cut} takes the engine away altogether.
 *
 * <pre>{@code
 * FaultyEngine engine =
 *     FaultyEngine.over(broker).seed(7).delays(0.05).duplicates(0.02)
 *         .reorders(0.02).cuts(0.1).build();
 * }</pre>
 *
 * <p>Faults are chosen by random numbers with a seed; what happens to a message still depends on
 * the timing of threads. Accepted messages are never lost, except those for live subscribers,
 * receivers and repliers during a cut.
 */
public final class FaultyEngine implements Engine, Closeable {
  private final Engine engine;
  private final Builder faults;
  private final Random random;
  private final List<FaultyLink> links = new CopyOnWriteArrayList<>();
  private volatile boolean away;

  private FaultyEngine(Builder builder) {
    this.engine = builder.engine;
    this.faults = new Builder(builder);
    this.random = new Random(builder.seed);
  }

  /** Returns a builder of an engine with faults; by default it has none. */
  public static Builder over(Engine engine) {
    return new Builder(engine);
  }

  @Override
  public String name() {
    return engine.name() + ", faulty";
  }

  @Override
  public List<Guarantees> guarantees() {
    return engine.guarantees();
  }

  @Override
  public MessagingClock clock() {
    return engine.clock();
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    if (away) {
      throw FaultyLink.cutOff(false);
    }
    FaultyLink link = new FaultyLink(this, engine.open(context), context.events());
    links.add(link);
    return link;
  }

  /** Cuts all connections, until {@link #restore}: what was not settled is given back. */
  public void cut() {
    away = true;
    links.forEach(FaultyLink::cut);
  }

  /** Restores all connections and their subscriptions. */
  public void restore() throws MessagingException {
    away = false;
    for (FaultyLink link : links) {
      link.restore();
    }
  }

  /** Returns the profile of this engine, given that of the engine inside. */
  public Profile profile(Profile inside) {
    return inside
        .withDuplicates(Math.max(inside.duplicates(), faults.duplicates))
        .withReorders(inside.reorders() || faults.reorders > 0);
  }

  /** Closes the engine inside, if it can be closed. */
  @Override
  public void close() throws IOException {
    if (engine instanceof AutoCloseable closeable) {
      try {
        closeable.close();
      } catch (IOException | RuntimeException e) {
        throw e;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException(e);
      } catch (Exception e) {
        throw new IOException(e);
      }
    }
  }

  void closed(FaultyLink link) {
    links.remove(link);
  }

  boolean isAway() {
    return away;
  }

  /** Returns how late something is, in nanoseconds; mostly 0. */
  long delayNanos() {
    return chance(faults.delays) ? (long) (random.nextDouble() * faults.delay.toNanos()) : 0;
  }

  boolean duplicates() {
    return chance(faults.duplicates);
  }

  boolean reorders() {
    return chance(faults.reorders);
  }

  boolean cutsIdle() {
    return chance(faults.cuts);
  }

  private boolean chance(double share) {
    return share > 0 && random.nextDouble() < share;
  }

  /** The faults. */
  public static final class Builder {
    private final Engine engine;
    private long seed = 1;
    private double delays;
    private Duration delay = Duration.ofMillis(3);
    private double duplicates;
    private double reorders;
    private double cuts;

    private Builder(Engine engine) {
      this.engine = requireNonNull(engine, "engine");
    }

    private Builder(Builder other) {
      this(other.engine);
      seed = other.seed;
      delays = other.delays;
      delay = other.delay;
      duplicates = other.duplicates;
      reorders = other.reorders;
      cuts = other.cuts;
    }

    /** Sets the seed of the random choices: 1 by default. */
    public Builder seed(long seed) {
      this.seed = seed;
      return this;
    }

    /** Sets the share of deliveries and answers to sends that are late. */
    public Builder delays(double share) {
      this.delays = Profile.share(share, "delays");
      return this;
    }

    /** Sets how late these are, at most: 3 ms by default. */
    public Builder delay(Duration delay) {
      this.delay = requireNonNull(delay, "delay");
      return this;
    }

    /** Sets the share of messages that are delivered twice. */
    public Builder duplicates(double share) {
      this.duplicates = Profile.share(share, "duplicates");
      return this;
    }

    /** Sets the share of messages that the next one overtakes. */
    public Builder reorders(double share) {
      this.reorders = Profile.share(share, "reorders");
      return this;
    }

    /** Sets how often an idle worker loses its connection: the share of its requests for more. */
    public Builder cuts(double share) {
      this.cuts = Profile.share(share, "cuts");
      return this;
    }

    /** Returns the engine. */
    public FaultyEngine build() {
      return new FaultyEngine(this);
    }
  }
}
