package dev.mullion.messaging;

import static dev.mullion.messaging.StoreJobs.queue;

import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;

/**
 * Pushes, fails, removes and buries jobs without an end. Before a change it prints {@code try},
 * what and the job's number, and {@code ack} instead once the store has acknowledged it; so too
 * before and after a job is marked.
 */
final class StoreWorkload {
  private static final int PENDING = 64;
  private static final int WAITING = 500;

  private final Store store;
  private final Random random;
  private final PrintStream out;
  private final Semaphore room = new Semaphore(PENDING);
  private final Queue<Job> ready = new ConcurrentLinkedQueue<>(); // pushed or failed
  private final ArrayDeque<Job> begun = new ArrayDeque<>();
  private long next;

  StoreWorkload(Store store, long seed, PrintStream out) {
    this.store = store;
    this.random = new Random(seed);
    this.out = out;
  }

  static String text(long number) {
    return number + "x".repeat((int) (number % 1000));
  }

  void run() throws Exception {
    for (Store.Contents contents : store.load()) {
      ready.addAll(contents.jobs());
    }
    next = System.nanoTime();
    store
        .apply(List.of(new Step.Declare(queue(0, "orders"))))
        .toCompletableFuture()
        .get();
    out.println("open");
    while (true) {
      room.acquire();
      Job waiting = ready.peek();
      if (waiting == null || ready.size() < random.nextInt(WAITING)) {
        push();
      } else if (begun.size() < random.nextInt(10)) {
        ready.remove();
        out.println("try begun " + waiting.number());
        store.begun(0, waiting);
        out.println("ack begun " + waiting.number());
        begun.add(waiting);
        room.release();
      } else if (!begun.isEmpty()) {
        settle(begun.remove());
      } else {
        room.release();
      }
    }
  }

  private void push() {
    long number = next++;
    byte[] payload = text(number).getBytes(StandardCharsets.UTF_8);
    Job job = StoreJobs.job(number, payload.length);
    out.println("try push " + number);
    store.apply(List.of(new Step.AddJob(0, job, "orders", Message.of(payload)))).thenRun(() -> {
      out.println("ack push " + number);
      ready.add(job);
      room.release();
    });
  }

  private void settle(Job job) {
    long number = job.number();
    List<Step> steps = new ArrayList<>();
    String what;
    Job failed = StoreJobs.job(number, job.failures() + 1, job.losses(), 0);
    switch (random.nextInt(4)) {
      case 0 -> {
        what = "bury ";
        steps.add(new Step.BuryJob(0, number, number, DeadLetter.Reason.REJECTED, "no", 1, 0));
      }
      case 1 -> {
        what = "fail ";
        steps.add(new Step.UpdateJob(0, failed));
      }
      default -> {
        what = "remove ";
        steps.add(new Step.RemoveJob(0, number));
      }
    }
    out.println("try " + what + number);
    boolean fails = what.equals("fail ");
    var done = store.apply(steps);
    if (!fails) {
      store.ended(0, number);
    }
    done.thenRun(() -> {
      out.println("ack " + what + number);
      if (fails) {
        store.ended(0, number);
        ready.add(failed);
      }
      room.release();
    });
  }
}
