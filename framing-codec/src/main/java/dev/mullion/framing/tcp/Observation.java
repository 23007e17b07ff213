package dev.mullion.framing.tcp;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;

/** The observers of one running server or client. */
final class Observation implements AutoCloseable {
  private List<Runnable> removals = List.of();

  /** Begins with all observers, or with none if one fails. */
  void begin(Collection<TcpObserver> observers, Function<TcpObserver, Runnable> begun) {
    List<Runnable> all = new ArrayList<>();
    try {
      observers.forEach(each -> all.add(begun.apply(each)));
    } finally {
      synchronized (this) {
        removals = all;
      }
    }
  }

  /** Ends, once. An observer's exception is logged, and the stop continues. */
  @Override
  public void close() {
    List<Runnable> present;
    synchronized (this) {
      present = removals;
      removals = List.of();
    }
    for (Runnable each : present) {
      try {
        each.run();
      } catch (Throwable e) {
        Link.LOG.log(Level.WARNING, "an observer failed while stopping", e);
      }
    }
  }
}
