"""Systems: processors, links and near-memory units that serve mixtures of experts."""
