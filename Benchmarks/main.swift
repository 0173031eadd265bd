print("dmatop")
