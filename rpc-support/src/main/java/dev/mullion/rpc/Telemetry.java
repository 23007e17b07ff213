package dev.mullion.rpc;

import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.grpc.opentelemetry.GrpcOpenTelemetry;
import io.opentelemetry.api.OpenTelemetry;

/** A class of its own, since grpc-opentelemetry may be absent. */
final class Telemetry {
  private Telemetry() {}

  static void configure(ServerBuilder<?> builder, OpenTelemetry openTelemetry) {
    of(openTelemetry).configureServerBuilder(builder);
  }

  static void configure(ManagedChannelBuilder<?> builder, OpenTelemetry openTelemetry) {
    of(openTelemetry).configureChannelBuilder(builder);
  }

  private static GrpcOpenTelemetry of(OpenTelemetry openTelemetry) {
    return GrpcOpenTelemetry.newBuilder().sdk(openTelemetry).build();
  }
}
