package dev.mullion.rpc;

import io.grpc.ServerServiceDefinition;
import io.grpc.protobuf.services.ChannelzService;
import io.grpc.services.AdminInterface;
import java.util.List;

/** The services by which tools look into a process. */
final class AdminServices {
  /** What gRPC's own admin services take. */
  private static final int PAGE_SIZE = 100;

  private AdminServices() {}

  /** The admin services are channelz, and others that are there. */
  static List<ServerServiceDefinition> definitions(boolean channelz, boolean admin) {
    if (admin) {
      return AdminInterface.getStandardServices();
    }
    return channelz ? List.of(ChannelzService.newInstance(PAGE_SIZE).bindService()) : List.of();
  }
}
