package dev.mullion.messaging;

import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.Store.StoredQueue;
import dev.mullion.messaging.StoreMaps.Kind;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Steps that are applied together, encoded on the thread of their caller. */
record StoreChange(List<StoreEdit> edits, long bytes, CompletableFuture<Void> done) {

  static StoreChange of(List<Step> steps) {
    List<StoreEdit> edits = new ArrayList<>(steps.size() + 1);
    long bytes = 0;
    for (Step step : steps) {
      bytes += add(step, edits);
    }
    return new StoreChange(edits, bytes, new CompletableFuture<>());
  }

  private static long add(Step step, List<StoreEdit> edits) {
    if (step instanceof Step.AddJob add) {
      byte[] message = StoreCodec.encode(add.address(), add.message());
      long number = add.job().number();
      edits.add(new StoreEdit.Put(add.queue(), number, Kind.MESSAGE, message));
      edits.add(new StoreEdit.Put(add.queue(), number, Kind.JOB, StoreCodec.encode(add.job())));
      return message.length;
    }
    if (step instanceof Step.AddDeadLetter add) {
      byte[] letter = StoreCodec.encode(add.address(), add.letter());
      edits.add(new StoreEdit.Put(add.queue(), add.number(), Kind.DEAD_LETTER, letter));
      return letter.length;
    }
    if (step instanceof Step.RemoveJob remove) {
      edits.add(new StoreEdit.Remove(remove.queue(), remove.number(), Kind.JOB));
      edits.add(new StoreEdit.Remove(remove.queue(), remove.number(), Kind.MESSAGE));
    } else if (step instanceof Step.UpdateJob update) {
      Job job = update.job();
      edits.add(
          new StoreEdit.Replace(update.queue(), job.number(), Kind.JOB, StoreCodec.encode(job)));
    } else if (step instanceof Step.BuryJob bury) {
      edits.add(new StoreEdit.Bury(
          bury.queue(),
          bury.number(),
          bury.letter(),
          bury.reason(),
          bury.error(),
          bury.deliveryCount(),
          Instant.ofEpochMilli(bury.diedMillis())));
    } else if (step instanceof Step.RemoveDeadLetter remove) {
      edits.add(new StoreEdit.Remove(remove.queue(), remove.number(), Kind.DEAD_LETTER));
    } else if (step instanceof Step.Declare declare) {
      StoredQueue queue = declare.queue();
      edits.add(new StoreEdit.Declare(queue.number(), StoreCodec.encode(queue.declaration())));
    } else if (step instanceof Step.DeleteQueue delete) {
      edits.add(new StoreEdit.Delete(delete.queue()));
    } else {
      throw new IllegalStateException("unknown step " + step);
    }
    return 0;
  }
}
