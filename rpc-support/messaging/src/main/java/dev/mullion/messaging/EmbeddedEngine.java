package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The engine inside this process, in memory or durable in a directory. This is the description; a
 * {@code Messaging} on it starts an engine of its own, which ends with it. Several in one process
 * share the {@link EmbeddedBroker} that {@link #start} returns.
 */
public final class EmbeddedEngine implements Engine {
  private final @Nullable Path directory;
  private final MessagingClock clock;

  private EmbeddedEngine(Builder builder) {
    this.directory = builder.directory;
    this.clock = builder.clock;
  }

  /** Returns an engine in memory. */
  public static EmbeddedEngine inMemory() {
    return builder().build();
  }

  /** Returns a builder. */
  public static Builder builder() {
    return new Builder();
  }

  /** Returns the directory of a durable engine. */
  public Optional<Path> directory() {
    return Optional.ofNullable(directory);
  }

  @Override
  public MessagingClock clock() {
    return clock;
  }

  @Override
  public String name() {
    return directory == null ? "embedded" : "embedded, durable";
  }

  @Override
  public List<Guarantees> guarantees() {
    return directory == null ? EmbeddedGuarantees.IN_MEMORY : EmbeddedGuarantees.DURABLE;
  }

  /**
   * Starts a broker that several {@code Messaging} share.
   *
   * @throws StoreException if the directory cannot be used
   */
  public EmbeddedBroker start() throws MessagingException {
    Path path = directory;
    if (path == null) {
      return new EmbeddedBroker(name(), clock, null);
    }
    Store store = MvStore.open(path, clock);
    try {
      return new EmbeddedBroker(name(), clock, store);
    } catch (Throwable e) { // the directory must not stay in use
      store.close();
      throw e;
    }
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    return start().open(context, true);
  }

  /** The settings. */
  public static final class Builder {
    private @Nullable Path directory;
    private MessagingClock clock = MessagingClock.system();

    private Builder() {}

    /**
     * Keeps queues, groups, their messages, delays, counts and dead letters in this directory; it
     * is created if absent. Needs {@code com.h2database:h2-mvstore} on the class path.
     */
    public Builder directory(Path directory) {
      this.directory = requireNonNull(directory, "directory");
      return this;
    }

    /** Sets the clock: {@link MessagingClock#system} by default. */
    public Builder clock(MessagingClock clock) {
      this.clock = requireNonNull(clock, "clock");
      return this;
    }

    /** Returns the engine. */
    public EmbeddedEngine build() {
      return new EmbeddedEngine(this);
    }
  }
}
