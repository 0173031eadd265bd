// SPDX-License-Identifier: MIT
import DMADebugCore

/// A mapping as a filter sees it.
public struct MappingRow: FilterExpression.Row {
  /// Fields whose texts plain words are sought in.
  static let textFields: [MappingField] = [
    .driver, .device, .type, .dmaAddress, .direction, .physicalAddress, .mapError, .task, .site,
    .attributes,
  ]

  public let mapping: Mapping
  public let context: MappingContext

  public init(_ mapping: Mapping, _ context: MappingContext) {
    self.mapping = mapping
    self.context = context
  }

  public func value(_ field: String) -> FieldValue? {
    MappingField(name: field)?.value(of: mapping, in: context)
  }

  public var texts: [String] {
    Self.textFields.map { $0.value(of: mapping, in: context).display }
  }

  public var nameTexts: [String] {
    Self.textFields.filter(\.isName).map { $0.value(of: mapping, in: context).display }
  }

  public var isError: Bool { mapping.isUnchecked }
}

extension Mapping {
  /// Nobody has asked for its map error, as far as the trace shows such questions.
  public var isUnchecked: Bool { mapError == .notChecked && showsMapErrorCheck }
}
