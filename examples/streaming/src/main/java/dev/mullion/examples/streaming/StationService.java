package dev.mullion.examples.streaming;

import dev.mullion.rpc.RpcMethod;
import io.grpc.stub.StreamObserver;
import java.util.Map;
import java.util.NoSuchElementException;

/** The three kinds of methods, each as a function. */
final class StationService extends StationGrpc.StationImplBase {
  private static final Map<String, Double> SENSORS = Map.of("cellar", 11.5, "roof", -2.0);

  @Override
  public void latest(LatestRequest request, StreamObserver<Reading> reply) {
    RpcMethod.unary(reply, () -> reading(request.getSensor(), 0));
  }

  @Override
  public void watch(WatchRequest request, StreamObserver<Reading> replies) {
    RpcMethod.serverStreaming(replies, readings -> {
      for (long number = 0; number < request.getCount() && !readings.isStopping(); number++) {
        // Waits while the client is behind.
        readings.write(reading(request.getSensor(), number));
      }
      if (readings.isStopping()) {
        readings.write(Reading.newBuilder().setStopping(true).build());
      }
    });
  }

  @Override
  public StreamObserver<Reading> average(StreamObserver<Mean> replies) {
    return RpcMethod.bidiStreaming(replies, (readings, means) -> {
      long count = 0;
      double sum = 0;
      for (Reading reading : readings) {
        count++;
        sum += reading.getValue();
        means.write(Mean.newBuilder().setCount(count).setValue(sum / count).build());
      }
    });
  }

  private static Reading reading(String sensor, long number) {
    Double base = SENSORS.get(sensor);
    if (base == null) {
      // The client sees NOT_FOUND with this text.
      throw new NoSuchElementException("sensor: " + sensor + " (expected: cellar or roof)");
    }
    return Reading.newBuilder()
        .setSensor(sensor)
        .setNumber(number)
        .setValue(base + number % 10 / 4.0)
        .build();
  }
}
