package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The workers of a queue, which take turns. Guarded by its queue's lock. */
final class WorkerList {
  private WorkerSource[] workers = {};
  private final Set<WorkerSource> leaving = new HashSet<>(); // they still hold jobs
  private int next;

  void add(WorkerSource worker) {
    workers = Arrays.copyOf(workers, workers.length + 1);
    workers[workers.length - 1] = worker;
  }

  /** Lets a worker get no more jobs. */
  void remove(WorkerSource worker) {
    List<WorkerSource> others = new ArrayList<>(List.of(workers));
    if (others.remove(worker)) {
      workers = others.toArray(WorkerSource[]::new);
      leaving.add(worker);
    }
  }

  /** Forgets a worker that holds none any more. */
  void forget(WorkerSource worker) {
    leaving.remove(worker);
  }

  /** Returns the next worker that may get a job. */
  @Nullable
  WorkerSource withCredit() {
    int index = next < workers.length ? next : 0;
    for (int tries = 0; tries < workers.length; tries++) {
      WorkerSource worker = workers[index];
      index = index + 1 < workers.length ? index + 1 : 0;
      if (worker.hasCredit()) {
        next = index;
        return worker;
      }
    }
    return null;
  }

  /** Returns whether any worker may get a job. */
  boolean haveCredit() {
    for (WorkerSource worker : workers) {
      if (worker.hasCredit()) {
        return true;
      }
    }
    return false;
  }

  /** Returns how many of the others may get a job: they wait for one. */
  int idleBeside(WorkerSource worker) {
    int idle = 0;
    for (WorkerSource each : workers) {
      if (each != worker && each.hasCredit()) {
        idle++;
      }
    }
    return idle;
  }

  /** Returns all that may hold jobs. */
  List<WorkerSource> all() {
    List<WorkerSource> all = new ArrayList<>(List.of(workers));
    all.addAll(leaving);
    return all;
  }

  int size() {
    return workers.length;
  }

  /** Returns how many jobs are handed out and not settled. */
  long inFlight() {
    long inFlight = 0;
    for (WorkerSource worker : all()) {
      inFlight += worker.heldJobs().size();
    }
    return inFlight;
  }
}
