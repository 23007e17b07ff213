package dev.mullion.messaging.tck;

import dev.mullion.messaging.engine.Engine;
import java.util.Set;

/**
 * An engine, ready for one test. The suite opens several {@code Messaging} on it and closes them
 * before this. The nested interfaces say what else can be done to it. All are optional: an engine
 * under test implements those that it can, and the cases that need another one are skipped.
 *
 * <p>Addresses have fresh names in each test, so a broker needs no cleaning and may be shared: then
 * {@link #close} does nothing.
 */
public interface EngineUnderTest {

  /** Returns the engine; the same for the whole test, unless it was restarted in between. */
  Engine engine();

  /** Returns how long things may take, and how much of them is done. */
  default Profile profile() {
    return Profile.defaults();
  }

  /**
   * Called before a case is skipped; an engine that must not skip it throws.
   *
   * @param field the field of {@link dev.mullion.messaging.Guarantees} that allows it
   * @param reason what the engine promises instead
   */
  default void skipping(String field, String reason) {}

  /**
   * Returns the size of the files in which the engine keeps messages; 0 if it has none. The long
   * form of the stress case compares it, as memory, before and after.
   */
  default long storedBytes() {
    return 0;
  }

  /** Ends the test. */
  void close() throws Exception;

  /** Returns an engine with the usual profile; closed after the test if it can be closed. */
  static EngineUnderTest of(Engine engine) {
    return of(engine, Profile.defaults());
  }

  /** Returns an engine with its profile; closed after the test if it can be closed. */
  static EngineUnderTest of(Engine engine, Profile profile) {
    return new EngineUnderTest() {
      @Override
      public Engine engine() {
        return engine;
      }

      @Override
      public Profile profile() {
        return profile;
      }

      @Override
      public void close() throws Exception {
        if (engine instanceof AutoCloseable closeable) {
          closeable.close();
        }
      }
    };
  }

  /** An engine that can be stopped and started again, with what it keeps on disk. */
  interface Restartable extends EngineUnderTest {
    /** Stops it in an orderly way. */
    void stop() throws Exception;

    /** Starts it again. */
    void start() throws Exception;

    /**
     * Returns whether a {@code Messaging} survives this: false for an engine inside this process,
     * where the suite opens new ones.
     */
    boolean clientsSurvive();
  }

  /** An engine whose connections can be cut and stay so for a while. */
  interface Cuttable extends EngineUnderTest {
    /** Cuts all connections; until {@link #restore}, none can be made. */
    void cut() throws Exception;

    /** Lets connections be made again. */
    void restore() throws Exception;
  }

  /** An engine that can be made to take nothing, although its connections stay. */
  interface Blockable extends EngineUnderTest {
    /** Blocks it. */
    void block() throws Exception;

    /** Ends that. */
    void unblock() throws Exception;
  }

  /** An engine that other processes can use, so that the suite can kill them. */
  interface MultiProcess extends EngineUnderTest {
    /** Returns who opens the engine in another process: a class with a public constructor. */
    Class<? extends RemoteEngine> remote();

    /** Returns what {@link RemoteEngine#open} gets: a directory, or an address. */
    String address();

    /**
     * Returns whether only one process can use it at a time. Then it must be {@link Restartable}
     * too, and is stopped here while the other process runs: killing that process kills worker and
     * engine together.
     */
    boolean exclusive();
  }

  /** An engine that can be killed without notice, as by {@code kill -9}. */
  interface Killable extends Restartable {
    /** Kills it; {@link #start} starts it again. */
    void kill() throws Exception;
  }

  /** An engine whose store can be damaged while it is stopped. */
  interface Damageable extends Restartable {
    /** Returns what can be done. */
    Set<Damage> damages();

    /** Damages the store, or puts it in that state. */
    void damage(Damage damage) throws Exception;

    /** Ends that state. */
    void repair(Damage damage) throws Exception;
  }

  /** What can happen to a store. */
  enum Damage {
    /** Another process uses it. */
    IN_USE,
    /** It cannot be written. */
    READ_ONLY,
    /** Its last write was cut: the engine must start with all that was acknowledged. */
    TORN_WRITE,
    /** It has the format of a version that is not known. */
    UNKNOWN_VERSION,
    /** The disk is full. */
    FULL
  }
}
